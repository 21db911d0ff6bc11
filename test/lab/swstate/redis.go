package swstate

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// RedisArgs is the command line of a Redis as SONiC runs it: a socket, notifications of every change to every key, nothing kept on disk.
func RedisArgs(socket string, port int) []string {
	return []string{
		"redis-server", "--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--unixsocket", socket, "--unixsocketperm", "777",
		"--notify-keyspace-events", "AKE", "--save", "", "--appendonly", "no", "--client-output-buffer-limit", "pubsub 0 0 0",
		"--daemonize", "no", "--logfile", "", "--pidfile", "",
	}
}

// RunDatabase writes the database configuration, which lies in memory and is made at every boot, and becomes Redis.
func RunDatabase() error {
	if err := os.MkdirAll(filepath.Dir(DatabaseConfig), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(DatabaseConfig, []byte(databaseConfig), 0o644); err != nil {
		return fmt.Errorf("write database configuration: %w", err)
	}
	args := RedisArgs(Socket, 6379)
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return syscall.Exec(path, args, os.Environ())
}
