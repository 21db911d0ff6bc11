package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// ErrNotRunning means that no agent answers: what it would know must be read without it.
var ErrNotRunning = errors.New("no agent is running")

// Client asks the agent behind a socket.
type Client struct{ http http.Client }

// NewClient makes a Client. It does not connect.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &Client{http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: answerTimeout}}
}

var _ Source = (*Client)(nil)

// Status implements Source.
func (c *Client) Status(ctx context.Context) (Status, error) { return ask[Status](ctx, c, "status") }

// Intent implements Source.
func (c *Client) Intent(ctx context.Context) (Intent, error) { return ask[Intent](ctx, c, "intent") }

// Steps implements Source.
func (c *Client) Steps(ctx context.Context) (Steps, error) { return ask[Steps](ctx, c, "diff") }

// Neighbours implements Source.
func (c *Client) Neighbours(ctx context.Context) (Neighbours, error) {
	return ask[Neighbours](ctx, c, "neighbours")
}

func ask[V any](ctx context.Context, c *Client, what string) (V, error) {
	var v V
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent/"+what, nil)
	if err != nil {
		return v, fmt.Errorf("ask agent for %s: %w", what, err)
	}
	response, err := c.http.Do(request)
	if notRunning(err) {
		return v, ErrNotRunning
	}
	if err != nil {
		return v, fmt.Errorf("ask agent for %s: %w", what, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return v, fmt.Errorf("ask agent for %s: %w", what, err)
	}
	if response.StatusCode != http.StatusOK {
		return v, fmt.Errorf("ask agent for %s: %s", what, strings.TrimSpace(string(body)))
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return v, fmt.Errorf("ask agent for %s: %w", what, err)
	}
	return v, nil
}
