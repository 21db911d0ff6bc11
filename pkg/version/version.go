// Package version holds the version that the linker stamps into the programs.
package version

// Version is set by -ldflags; "devel" when a program was built without.
var Version = "devel"
