package api

import (
	"context"

	"github.com/pointsman/pointsman/controlplane/internal/history"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

type changeServer struct {
	apiv1.UnimplementedChangeServiceServer
	history *history.Service
	store   *store.Store
}

// ListChanges reads etcd: history is not cached. Pages after the first go on from its last change, in the state of the first: what
// ends or is recorded meanwhile, by whatever clock, moves nothing.
func (s changeServer) ListChanges(ctx context.Context, req *apiv1.ListChangesRequest) (*apiv1.ListChangesResponse, error) {
	wanted, err := selection(req.GetFilter(), func(*apiv1.ChangeRecord) bool { return true })
	if err != nil {
		return nil, err
	}
	if err := s.store.AtLeast(ctx, "min_resource_version", req.GetMinResourceVersion()); err != nil {
		return nil, err
	}
	query := history.Query{About: history.About(req.GetResource(), project(req.GetProject())), Size: int(req.GetPageSize()), Wanted: wanted}
	if req.GetPageToken() != "" {
		t, err := parseToken(req)
		if err != nil {
			return nil, err
		}
		if query.Revision, err = s.store.ParseVersion("page_token", t.Version); err != nil {
			return nil, err
		}
		query.Before = t.Last
	}
	found, err := s.history.List(ctx, query)
	if err != nil {
		return nil, err
	}
	out := &apiv1.ListChangesResponse{Changes: found.Changes, ResourceVersion: s.store.Version(found.Revision)}
	if found.More {
		last := found.Changes[len(found.Changes)-1].GetId()
		out.NextPageToken = token{Version: out.ResourceVersion, Request: selectionHash(req), Last: last}.String()
	}
	return out, nil
}
