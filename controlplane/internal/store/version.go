package store

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// Version is a revision as callers of the API see it: opaque, and of this store alone, so that one of a store that was lost is
// not taken for a place in the history of its successor.
func (s *Store) Version(revision int64) string {
	if revision == 0 {
		return ""
	}
	return s.uuid[:8] + "-" + strconv.FormatInt(revision, 36)
}

// ParseVersion reads a Version.
func (s *Store) ParseVersion(field, version string) (int64, error) {
	of, number, ok := strings.Cut(version, "-")
	revision, err := strconv.ParseInt(number, 36, 64)
	switch {
	case !ok || err != nil || revision <= 0:
		return 0, Refuse(Invalid, "%s: %q is none that this API gave out", field, version)
	case of != s.uuid[:8]:
		return 0, Refuse(OutOfRange, "%s: %q is of another store; list anew", field, version)
	}
	return revision, nil
}

// AtLeast waits until the cache shows a version or a later one; an empty one is any.
func (s *Store) AtLeast(ctx context.Context, field, version string) error {
	if version == "" {
		return nil
	}
	revision, err := s.ParseVersion(field, version)
	if err != nil || s.Revision() >= revision {
		return err
	}
	if err := s.Linearize(ctx); err != nil {
		return err
	}
	if s.Revision() < revision {
		return Refuse(OutOfRange, "%s: %q is newer than this store; list anew", field, version)
	}
	return nil
}

// At is what these roots held at a revision of the past: OutOfRange once that is compacted away. The caller may keep it.
func (s *Store) At(ctx context.Context, revision int64, roots ...string) (*Data, error) {
	data := newData()
	for _, root := range roots {
		if _, err := s.load(ctx, data, root, revision); err != nil {
			return nil, Past(err)
		}
	}
	data.Index.Settle()
	data.Revision = revision
	return data, nil
}

// Past makes a refusal of an error that says that a revision is not there.
func Past(err error) error {
	if errors.Is(err, rpctypes.ErrCompacted) || errors.Is(err, rpctypes.ErrFutureRev) {
		return Refuse(OutOfRange, "the state of that time is not in the store's history any more; list anew")
	}
	return err
}
