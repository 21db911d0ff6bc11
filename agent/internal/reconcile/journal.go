package reconcile

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// journalSize is when the journal begins a new file and keeps the one before.
const journalSize = 1 << 20

// journal says what is about to be done, ahead of it, for whoever has to find out what the agent was at when it died. Nothing
// reads it back: what to do follows from the world alone. It is not synced; it survives the agent, not a power cut.
type journal struct {
	path string
	file *os.File
	size int64
}

func openJournal(stateDir string) (*journal, error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, err
	}
	j := &journal{path: filepath.Join(stateDir, "journal.log")}
	return j, j.open()
}

func (j *journal) open() error {
	file, err := os.OpenFile(j.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return err
	}
	j.file, j.size = file, info.Size()
	return nil
}

func (j *journal) close() { j.file.Close() }

func (j *journal) begin(ops []plan.Op) {
	j.write(func(w *bufio.Writer) {
		fmt.Fprintf(w, "%s begin\n", time.Now().UTC().Format(time.RFC3339Nano))
		for _, line := range driftOf(ops) {
			fmt.Fprintf(w, "  %s\n", line)
		}
	})
}

func (j *journal) end(results []plan.Result) {
	j.write(func(w *bufio.Writer) {
		fmt.Fprintf(w, "%s end\n", time.Now().UTC().Format(time.RFC3339Nano))
		for _, r := range results {
			if r.Err != nil {
				fmt.Fprintf(w, "  %s: %v\n", firstLine(r.Op.String()), r.Err)
			}
		}
	})
}

// write appends in one piece. A full disk must not keep the agent from its work, so it goes on without a journal.
func (j *journal) write(print func(*bufio.Writer)) {
	counter := &counting{file: j.file}
	w := bufio.NewWriterSize(counter, 1<<16)
	print(w)
	_ = w.Flush()
	j.size += counter.n
	if j.size < journalSize {
		return
	}
	j.file.Close()
	_ = os.Rename(j.path, j.path+".1")
	if err := j.open(); err != nil {
		j.file, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
}

type counting struct {
	file *os.File
	n    int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.file.Write(b)
	c.n += int64(n)
	return n, err
}
