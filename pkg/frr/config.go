package frr

// Config is a configuration as FRR understands it: lines at the top, some of which are contexts with lines of their own.
// The zero value is empty.
type Config struct {
	Lines []Line
}

// Line is one command; Lines holds what is inside its context, if it opens one.
type Line struct {
	Text  string
	Lines []Line
}
