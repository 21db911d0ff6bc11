package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/pointsman/pointsman/controlplane/internal/filter"
	"github.com/pointsman/pointsman/controlplane/internal/store"
)

// listRequest is what all list requests have.
type listRequest interface {
	proto.Message
	GetPageSize() int32
	GetPageToken() string
	GetFilter() string
	GetMinResourceVersion() string
}

// page is a part of a list.
type page[M proto.Message] struct {
	objects []M
	next    string
	version string
}

// token is where a list goes on, for one selection: an offset in the state of one revision, or after what was shown last. It is a
// caller's to keep and not to read.
type token struct {
	Version string `json:"v"`
	Offset  int    `json:"o"`
	Request []byte `json:"r"`
	Last    string `json:"l,omitempty"`
}

// list answers a list request. Pages after the first show the state of the first.
func list[M proto.Message](ctx context.Context, c *collection[M], req listRequest, wanted func(M) bool) (page[M], error) {
	selected, err := selection(req.GetFilter(), wanted)
	if err != nil {
		return page[M]{}, err
	}
	if err := c.store.AtLeast(ctx, "min_resource_version", req.GetMinResourceVersion()); err != nil {
		return page[M]{}, err
	}
	from, state, err := c.begin(ctx, req)
	if err != nil {
		return page[M]{}, err
	}
	all := state.matching(selected)
	out := page[M]{version: c.store.Version(state.revision)}
	end := len(all)
	if size := int(req.GetPageSize()); size > 0 && from+size < len(all) {
		end = from + size
		out.next = token{Version: out.version, Offset: end, Request: selectionHash(req)}.String()
	}
	out.objects = all[min(from, end):end]
	return out, nil
}

// begin is where a page begins, and in which state.
func (c *collection[M]) begin(ctx context.Context, req listRequest) (int, *snapshot[M], error) {
	if req.GetPageToken() == "" {
		return 0, c.now(), nil
	}
	t, err := parseToken(req)
	if err != nil {
		return 0, nil, err
	}
	revision, err := c.store.ParseVersion("page_token", t.Version)
	if err != nil {
		return 0, nil, err
	}
	state, err := c.at(ctx, revision)
	return t.Offset, state, err
}

// selection joins a request's own fields with its filter.
func selection[M proto.Message](text string, wanted func(M) bool) (func(M) bool, error) {
	var none M
	f, err := filter.Parse(text, none.ProtoReflect().Descriptor())
	if err != nil {
		return nil, store.Refuse(store.Invalid, "%v", err)
	}
	return func(m M) bool { return wanted(m) && f.Match(m) }, nil
}

func (t token) String() string {
	raw, _ := json.Marshal(t) // strings, a number and bytes always can be
	return base64.RawURLEncoding.EncodeToString(raw)
}

func parseToken(req listRequest) (token, error) {
	var t token
	raw, err := base64.RawURLEncoding.DecodeString(req.GetPageToken())
	if err != nil || json.Unmarshal(raw, &t) != nil || t.Offset < 0 {
		return t, store.Refuse(store.Invalid, "page_token: it is none that this API gave out")
	}
	if string(t.Request) != string(selectionHash(req)) {
		return t, store.Refuse(store.Invalid, "page_token: it belongs to a list with another selection; give the same fields as for the first page")
	}
	return t, nil
}

// selectionHash tells the selections of lists apart: all fields but those that go from page to page.
func selectionHash(req listRequest) []byte {
	bare := proto.Clone(req).ProtoReflect()
	for _, name := range []protoreflect.Name{"page_size", "page_token", "min_resource_version"} {
		bare.Clear(bare.Descriptor().Fields().ByName(name))
	}
	raw, _ := proto.MarshalOptions{Deterministic: true}.Marshal(bare.Interface()) // what was decoded can be encoded
	sum := sha256.Sum256(append([]byte(bare.Descriptor().FullName()), raw...))
	return sum[:8]
}
