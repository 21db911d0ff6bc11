#!/usr/bin/env bash
# Generates the Go code of pkg/api from its protos into DIR (default: this repository). Third-party protos come from the Go
# module cache, plugins from tools/go.mod, so nothing but the Go module proxy is needed.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$top}
cd "$top"
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
mkdir -p "$work/.protos/buf/validate" "$work/pkg/api/v1"
validate=$(go mod download -json github.com/bufbuild/protovalidate@v1.2.2 | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp "$validate/proto/protovalidate/buf/validate/validate.proto" "$work/.protos/buf/validate/"
cp pkg/api/v1/*.proto "$work/pkg/api/v1/"
cp buf.yaml buf.gen.yaml "$work/"
GOBIN=$work/bin go install -C tools google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc
export PATH=$work/bin:$PATH
buf=$(go tool -n -modfile=tools/go.mod buf)
cd "$work"
"$buf" lint
"$buf" generate -o "$out"
