package manual

import (
	"strings"
	"testing"
)

// example has each form of line that a program's help may have.
const example = `tool: does "things"
usage: tool [OPTIONS] COMMAND [ARG...]
usage: tool FILE
where FILE is a file
      (default: none).

Commands (of all kinds):
  [--force] add BR PORT...    add PORTs to BR
  del BR                      delete BR, and
                              what it has
  [--wait=MSECS]
  set BR KEY=VALUE            set it, as --wait allows
Rows:
  Bridge:
    by UUID
    by "name"
All of them.

Options:
  -V, --version  print 'the' version
  .net
    a dot
`

// page is what becomes of it.
const page = `.SH NAME
tool \- does "things"
.SH SYNOPSIS
\fBtool \fR[\fIOPTIONS\fR]\fB \fR\fICOMMAND\fR\fB \fR[\fIARG\fR...]
.br
\fBtool \fR\fIFILE\fR
.SH "DESCRIPTION"
.PP
where FILE is a file (default: none).
.SH "COMMANDS (OF ALL KINDS)"
.TP
[\fB\-\-force\fR]\fB add \fR\fIBR\fR\fB \fR\fIPORT\fR...
add \fIPORT\fRs to \fIBR\fR
.TP
\fBdel \fR\fIBR\fR
delete \fIBR\fR, and what it has
.TP
[\fB\-\-wait=\fR\fIMSECS\fR]\fB set \fR\fIBR\fR\fB \fR\fIKEY\fR\fB=\fR\fIVALUE\fR
set it, as \fB\-\-wait\fR allows
.SH "ROWS"
.TP
\fBBridge\fR
by UUID, by "name"
.PP
All of them.
.SH "OPTIONS"
.TP
\fB\-V, \-\-version\fR
print \(aqthe\(aq version
.TP
\fB.net\fR
a dot
.SH ENVIRONMENT
`

// TestPage makes a page of a help text.
func TestPage(t *testing.T) {
	got := string(Page("tool", example, []string{"other", "ovsdb-tool", "tool"}))
	_, got, ok := strings.Cut(got, "\"Open vSwitch\"\n")
	if !ok || !strings.HasPrefix(got, page) {
		t.Errorf("the page is\n%s, want it to begin with\n%s", got, page)
	}
	if end := ".SH \"SEE ALSO\"\n.BR other (8),\n.BR ovsdb\\-tool (1)\n"; !strings.HasSuffix(got, end) {
		t.Errorf("the page is\n%s, want it to end in\n%s", got, end)
	}
}

// TestLine keeps text from being taken for a macro.
func TestLine(t *testing.T) {
	w := &writer{}
	w.line(".TH")
	w.line("'br")
	if got, want := string(w.text), "\\&.TH\n\\&'br\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
