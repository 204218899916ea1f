package coord

import (
	"context"

	"google.golang.org/grpc"
)

// A stream is one of a client's, such as its watch, that ends when the member does.
// Else etcd would wait for the client to end it.
type stream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s *stream) Context() context.Context { return s.ctx }

// endStreams ends all streams of a server when a context ends.
func endStreams(end context.Context) grpc.ServerOption {
	return grpc.ChainStreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		ctx, cancel := context.WithCancel(s.Context())
		defer cancel()
		defer context.AfterFunc(end, cancel)()
		return handle(srv, &stream{s, ctx})
	})
}
