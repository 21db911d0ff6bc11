package e2e

import (
	"strings"
	"sync"
)

// watcher keeps what is written to it and tells when a word has come.
type watcher struct {
	word string
	seen chan struct{}

	mu   sync.Mutex
	text []byte
	told bool
}

func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	if !w.told && w.seen != nil && strings.Contains(string(w.text), w.word) {
		w.told = true
		close(w.seen)
	}
	return len(p), nil
}

func (w *watcher) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text)
}
