// Package version holds the version numbers that the programs report.
package version

// OVS is the release of Open vSwitch whose behaviour the programs keep. Scripts
// parse it from the first line of --version, so it stands in that place and form.
const OVS = "4.0.0"

// Weir is this implementation's own version.
const Weir = "0.1.0"

// Line returns the first line of a program's --version, without a newline, as
// `ovs-appctl version` also answers it.
func Line(program string) string {
	return program + " (Open vSwitch) " + OVS
}

// Text returns everything that program --version prints.
func Text(program string) string {
	return Line(program) + "\nWeir " + Weir + "\n"
}
