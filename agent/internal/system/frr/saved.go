package frr

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pointsman/pointsman/pkg/frr"
)

// Saved returns what FRR's own start would load. A file that is not there is empty.
func (c *Client) Saved(ctx context.Context) (frr.Config, error) {
	if err := ctx.Err(); err != nil {
		return frr.Config{}, fmt.Errorf("read saved FRR configuration: %w", err)
	}
	text, err := os.ReadFile(c.configFile)
	if errors.Is(err, fs.ErrNotExist) {
		return frr.Config{}, nil
	}
	if err != nil {
		return frr.Config{}, fmt.Errorf("read saved FRR configuration: %w", err)
	}
	config, err := frr.Parse(string(text))
	if err != nil {
		return frr.Config{}, fmt.Errorf("read saved FRR configuration: %w", err)
	}
	return config, nil
}
