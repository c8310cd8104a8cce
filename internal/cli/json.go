package cli

import (
	"bytes"
	"encoding/json"
)

// JSONText is a document as a program prints it: indented where it is to be
// pretty, and with a newline.
func JSONText(document string, pretty bool) string {
	var b bytes.Buffer
	if pretty && json.Indent(&b, []byte(document), "", "  ") == nil {
		document = b.String()
	}
	return document + "\n"
}
