package api

import (
	"context"

	"github.com/pointsman/pointsman/controlplane/internal/history"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

type changeServer struct {
	apiv1.UnimplementedChangeServiceServer
	history *history.Service
}

// ListChanges reads etcd: history is not cached. A token is where the page before ended; what happens meanwhile is later than all
// pages and moves nothing.
func (s changeServer) ListChanges(ctx context.Context, req *apiv1.ListChangesRequest) (*apiv1.ListChangesResponse, error) {
	wanted, err := selection(req.GetFilter(), func(*apiv1.ChangeRecord) bool { return true })
	if err != nil {
		return nil, err
	}
	var before string
	if req.GetPageToken() != "" {
		t, err := parseToken(req)
		if err != nil {
			return nil, err
		}
		before = t.Version
	}
	found, more, err := s.history.List(ctx, history.About(req.GetResource(), project(req.GetProject())), before, int(req.GetPageSize()), wanted)
	if err != nil {
		return nil, err
	}
	out := &apiv1.ListChangesResponse{Changes: found}
	if more {
		out.NextPageToken = token{Version: found[len(found)-1].GetId(), Request: selectionHash(req)}.String()
	}
	return out, nil
}
