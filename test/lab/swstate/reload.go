package swstate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/test/lab/swstate/core"
)

// PidFile names the process that Run is in, for Reload.
const PidFile = "/run/swstate.pid"

// zebraPidFile is that of FRR's first daemon; the others end with it and start after it.
const zebraPidFile = "/run/frr/zebra.pid"

// Reload is SONiC's `config reload`: the daemons are ended, CONFIG_DB is emptied and filled from the file, and whoever keeps the daemons running
// starts them anew. FRR's container is restarted with them; without its file, if it is to be lost.
func Reload(ctx context.Context, databaseConfig, file string, loseFRR bool) error {
	l, err := readLayout(databaseConfig)
	if err != nil {
		return err
	}
	db, err := l.open(core.Config)
	if err != nil {
		return err
	}
	defer db.Close()
	// Daemons that are started meanwhile wait for it.
	if err := db.Del(ctx, initialised).Err(); err != nil {
		return fmt.Errorf("delete %s: %w", initialised, err)
	}
	if err := terminate(ctx, PidFile); err != nil {
		return fmt.Errorf("end the switch's daemons: %w", err)
	}
	if loseFRR {
		if err := os.Remove("/etc/sonic/frr/frr.conf"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := terminate(ctx, zebraPidFile); err != nil {
		return fmt.Errorf("end FRR: %w", err)
	}
	return Load(ctx, databaseConfig, file)
}

// terminate ends the process that a file names and waits until it has ended.
func terminate(ctx context.Context, pidFile string) error {
	text, err := os.ReadFile(pidFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("read %s: %w", pidFile, err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	} else if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("end process %d: %w", pid, err)
	}
	for ended := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}; ; {
		n, err := unix.Poll(ended, 100)
		switch {
		case n > 0:
			return nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
	}
}
