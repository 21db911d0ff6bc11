package etcdserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func start(t *testing.T, dir string, quota int64) (*Server, *clientv3.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	log := slog.New(slog.DiscardHandler)
	s, err := Start(ctx, Config{Dir: dir, Listen: "127.0.0.1:0", Quota: quota, Fast: true, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	client, err := NewClient([]string{s.Endpoint()}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return s, client
}

func TestDataSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	s, client := start(t, dir, 0)
	if _, err := client.Put(t.Context(), "a", "1"); err != nil {
		t.Fatal(err)
	}
	client.Close()
	s.Close()
	_, client = start(t, dir, 0)
	got, err := client.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "1" {
		t.Errorf("after a restart a is %v", got.Kvs)
	}
}

func TestStartNamesWhatIsInTheWay(t *testing.T) {
	s, _ := start(t, t.TempDir(), 0)
	_, err := Start(t.Context(), Config{Dir: t.TempDir(), Listen: s.Addr(), Fast: true, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), s.Addr()) {
		t.Errorf("second server on %s: %v", s.Addr(), err)
	}
}

// TestFullEtcdIsRepaired fills the database with versions of one key until etcd refuses writes: history alone, which
// compaction gives back.
func TestFullEtcdIsRepaired(t *testing.T) {
	s, client := start(t, t.TempDir(), 4<<20)
	fill(t, client)
	var changes []bool
	space := &Space{Client: client, Quota: s.Quota(), Log: slog.New(slog.DiscardHandler), OnChange: func(full bool) { changes = append(changes, full) }}
	if err := space.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(changes) != "[true false]" {
		t.Errorf("changes were %v, want full, then room", changes)
	}
	if _, err := client.Put(t.Context(), "after", "x"); err != nil {
		t.Errorf("write after the repair: %v", err)
	}
}

// TestOutsideEtcdIsOnlyWatched: an etcd that is not ours is neither compacted nor disarmed.
func TestOutsideEtcdIsOnlyWatched(t *testing.T) {
	_, client := start(t, t.TempDir(), 4<<20)
	fill(t, client)
	var log bytes.Buffer
	space := &Space{Client: client, Log: slog.New(slog.NewTextHandler(&log, nil))}
	if err := space.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !space.Full() || !strings.Contains(log.String(), "alarm disarm") {
		t.Errorf("full %v, log %q", space.Full(), log.String())
	}
	if _, err := client.Put(t.Context(), "after", "x"); !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Errorf("write: %v, want no space", err)
	}
}

func fill(t *testing.T, client *clientv3.Client) {
	t.Helper()
	value := strings.Repeat("x", 256<<10)
	for range 100 {
		_, err := client.Put(t.Context(), "big", value)
		if errors.Is(err, rpctypes.ErrNoSpace) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("etcd took 25 MB into a quota of 4")
}

func TestLogLevelsArriveOneLower(t *testing.T) {
	var out bytes.Buffer
	log := ZapLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})))
	log.Sugar().Infow("chatter")
	log.Sugar().Warnw("slow disk", "took", "2s")
	log.Sugar().Errorw("lost leader")
	got := out.String()
	for _, want := range []string{"level=INFO msg=\"slow disk\" component=etcd took=2s", "level=ERROR msg=\"lost leader\""} {
		if !strings.Contains(got, want) {
			t.Errorf("log lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "chatter") {
		t.Errorf("info came through at info:\n%s", got)
	}
}
