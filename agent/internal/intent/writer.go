package intent

import (
	"bytes"
	"log/slog"
	"time"
)

// disk writes the last intent behind the loop's back: syncing a file takes longer than moving a port. Only the newest counts.
type disk struct {
	dir    string
	log    *slog.Logger
	newest chan last
}

func newDisk(dir string, log *slog.Logger) *disk {
	return &disk{dir: dir, log: log, newest: make(chan last, 1)}
}

// save keeps l for writing, in place of an earlier one that was not written yet. One goroutine calls it.
func (d *disk) save(l last) {
	select {
	case <-d.newest:
	default:
	}
	d.newest <- l
}

// close lets run write what is left and return.
func (d *disk) close() { close(d.newest) }

// run writes until close. A file that says the same but for the revision is written too: the revision guards against an older
// store.
func (d *disk) run() {
	var written []byte
	for l := range d.newest {
		raw, err := marshal(l)
		if err == nil && bytes.Equal(raw, written) {
			continue
		}
		for try := 0; ; try++ {
			if err = save(d.dir, l); err == nil || try == 2 {
				break
			}
			time.Sleep(time.Second)
		}
		if err != nil {
			d.log.Error("the last intent is not on disk", "err", err)
			continue
		}
		written = raw
	}
}
