package ofctl

// commands is the table of subcommands. A function, since some refer back.
func commands() []command {
	return []command{
		{"ofp-print", "hidden", 1, 2, ofpPrint, false},
		{"encode-hello", "hidden", 1, 1, encodeHello, false},
		{"parse-key-value", "hidden", 1, -1, parseKeyValue, false},
		{"print-error", "hidden", 1, 1, printErrorCmd, false},
		{"encode-error-reply", "hidden", 2, 2, encodeErrorReply, false},
		{"parse-flow", "hidden", 1, 1, parseFlow, false},
		{"parse-flows", "hidden", 1, 1, parseFlows, false},
		{"parse-actions", "hidden", 1, 1, parseActionsCmd, false},
		{"parse-instructions", "hidden", 1, 1, parseInstructionsCmd, false},
	}
}
