package frr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// owners are the user and group of FRR's configuration file.
type owners struct {
	known    bool
	uid, gid int
}

// Save writes FRR's integrated configuration, so that FRR's own start finds what it runs now. The file is written only if it
// differs, atomically, with the mode and owner that FRR's packages give it.
func (c *Client) Save(ctx context.Context, text string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("save FRR configuration: %w", err)
	}
	old, err := os.ReadFile(c.configFile)
	if err == nil && bytes.Equal(old, []byte(text)) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("save FRR configuration: %w", err)
	}
	file, err := renameio.NewPendingFile(c.configFile, renameio.WithPermissions(0o640))
	if err != nil {
		return fmt.Errorf("save FRR configuration: %w", err)
	}
	defer func() { _ = file.Cleanup() }()
	if err := c.chown(file.File); err != nil {
		return fmt.Errorf("save FRR configuration: %w", err)
	}
	if _, err := file.WriteString(text); err != nil {
		return fmt.Errorf("save FRR configuration: %w", err)
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("save FRR configuration: %w", err)
	}
	return nil
}

// chown gives a file to user and group frr. Where there is no such user, FRR is in a container, and the file goes to whoever its directory
// belongs to. If we are not root, it stays ours.
func (c *Client) chown(file *os.File) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.owners.known {
		c.owners = frrOwners(filepath.Dir(c.configFile))
	}
	if c.owners.uid < 0 || os.Geteuid() != 0 {
		return nil
	}
	return file.Chown(c.owners.uid, c.owners.gid)
}

func frrOwners(dir string) owners {
	u, err := user.Lookup("frr")
	if err != nil {
		var stat unix.Stat_t
		if err := unix.Stat(dir, &stat); err != nil {
			return owners{known: true, uid: -1}
		}
		return owners{known: true, uid: int(stat.Uid), gid: int(stat.Gid)}
	}
	uid, errUID := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	if errUID != nil || errGID != nil {
		return owners{known: true, uid: -1}
	}
	return owners{known: true, uid: uid, gid: gid}
}
