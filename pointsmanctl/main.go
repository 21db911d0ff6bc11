// Command pointsmanctl is the command line over Pointsman's API. It knows what anybody's program could know: pkg.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/pointsman/pointsman/pointsmanctl/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := command.Main(ctx, os.Args[1:], command.Terminal())
	stop()
	os.Exit(code)
}
