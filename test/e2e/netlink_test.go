package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/test/fabric"
)

// netlinkMonitor sees what any process of a node asks the kernel to change: every request on every netlink socket of the node's
// network namespace, which an nlmon device mirrors. The kernel's own events (a bridge's ports, addresses found by
// autoconfiguration) are no requests, so they do not count.
type netlinkMonitor struct {
	packets *packetLog
	stop    func()
}

// monitorNetlink starts a monitor and returns once it sees a write, which is its control.
func monitorNetlink(ctx context.Context, t *testing.T, f *fabric.Fabric, node string) *netlinkMonitor {
	t.Helper()
	running, cancel := context.WithCancel(ctx)
	m := &netlinkMonitor{packets: &packetLog{}}
	listens := &watcher{word: "listening on", seen: make(chan struct{})}
	var done sync.WaitGroup
	done.Go(func() {
		_, _ = f.Lab.ExecStream(running, node, []string{"sh", "-c", "ip link add nlmon0 type nlmon && ip link set nlmon0 up && exec tcpdump -i nlmon0 -p -U -s 512 -w -"}, nil, m.packets, listens)
	})
	m.stop = sync.OnceFunc(func() {
		cancel()
		done.Wait()
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		if _, err := f.Lab.Run(after, node, "ip", "link", "del", "nlmon0"); err != nil {
			t.Logf("the monitor on %s stays: %v", node, err) // after a failure the fabric has ended
		}
	})
	t.Cleanup(m.stop)
	select {
	case <-listens.seen:
	case <-time.After(20 * time.Second):
		t.Fatalf("the monitor on %s does not start: %s", node, listens)
	}
	sh(ctx, t, f, node, "ip link set nlmon0 alias monitored") // zebra 10.3 enters the next hops on a device anew when that changes; here are none
	await(ctx, t, "the monitor on "+node+" sees a write", func(context.Context) error {
		writes := m.writes(t)
		if len(writes) == 0 || !strings.Contains(writes[len(writes)-1], fmt.Sprintf("% x", "monitored")) {
			return fmt.Errorf("writes %q", writes)
		}
		return nil
	})
	m.packets.mark()
	return m
}

// writes are the requests that change something, since the control.
func (m *netlinkMonitor) writes(t *testing.T) []string {
	t.Helper()
	packets, err := m.packets.sinceMark()
	if err != nil {
		t.Fatalf("netlink capture: %v", err)
	}
	var out []string
	for _, p := range packets {
		out = append(out, writesIn(p)...)
	}
	return out
}

// packetLog collects the capture file that tcpdump writes.
type packetLog struct {
	mu     sync.Mutex
	text   []byte
	marked int // packets before the mark
}

func (l *packetLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *packetLog) mark() {
	l.mu.Lock()
	defer l.mu.Unlock()
	packets, _ := pcapPackets(l.text)
	l.marked = len(packets)
}

func (l *packetLog) sinceMark() ([][]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	packets, err := pcapPackets(l.text)
	return packets[min(l.marked, len(packets)):], err
}

// pcapPackets cuts a capture file (little-endian, as x86 writes it) of link type LINKTYPE_NETLINK into packets; the last one may
// still be on its way.
func pcapPackets(text []byte) ([][]byte, error) {
	const fileHeader, recordHeader, magic, linkTypeNetlink = 24, 16, 0xa1b2c3d4, 253
	if len(text) < fileHeader {
		return nil, nil
	}
	if m, link := binary.LittleEndian.Uint32(text), binary.LittleEndian.Uint32(text[20:]); m != magic || link != linkTypeNetlink {
		return nil, fmt.Errorf("magic %#x, link type %d", m, link)
	}
	var packets [][]byte
	for text = text[fileHeader:]; len(text) >= recordHeader; {
		size := int(binary.LittleEndian.Uint32(text[8:])) + recordHeader
		if len(text) < size {
			break
		}
		packets = append(packets, bytes.Clone(text[recordHeader:size]))
		text = text[size:]
	}
	return packets, nil
}

// writesIn lists the requests to change something in one packet: 16 bytes of header, whose last two are the netlink family, then
// messages. Of rtnetlink's types every third of four is a question (RTM_GET…); nftables writes in batches only.
func writesIn(packet []byte) []string {
	const header, nlmsgHeader = 16, 16
	if len(packet) < header {
		return nil
	}
	family := binary.BigEndian.Uint16(packet[14:])
	var out []string
	for text := packet[header:]; len(text) >= nlmsgHeader; {
		size := int(binary.LittleEndian.Uint32(text))
		kind, flags, pid := binary.LittleEndian.Uint16(text[4:]), binary.LittleEndian.Uint16(text[6:]), binary.LittleEndian.Uint32(text[12:])
		asks := kind >= unix.RTM_BASE && (kind-unix.RTM_BASE)&3 == 2
		write := family == unix.NETLINK_ROUTE && kind >= unix.RTM_BASE && !asks || family == unix.NETLINK_NETFILTER && kind == unix.NFNL_MSG_BATCH_BEGIN
		// zebra lets go of next hop groups three minutes after their last route (its "nexthop-group keep"); the agent has none.
		zebraTidies := family == unix.NETLINK_ROUTE && kind == unix.RTM_DELNEXTHOP
		if write && !zebraTidies && flags&unix.NLM_F_REQUEST != 0 {
			body := text[nlmsgHeader:min(len(text), max(size, nlmsgHeader), nlmsgHeader+48)]
			out = append(out, fmt.Sprintf("netlink family %d, type %d, flags %#x, port %d: % x", family, kind, flags, pid, body))
		}
		if size < nlmsgHeader || (size+3)&^3 > len(text) {
			break
		}
		text = text[(size+3)&^3:]
	}
	return out
}

// assertNoWrite says what was written since the control.
func (m *netlinkMonitor) assertNoWrite(t *testing.T, node string) {
	t.Helper()
	if writes := m.writes(t); len(writes) > 0 {
		t.Errorf("%s was asked to change its kernel %d times:\n%s", node, len(writes), strings.Join(writes[:min(len(writes), 40)], "\n"))
	}
}
