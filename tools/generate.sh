#!/usr/bin/env bash
# Generates the Go code and the OpenAPI file of pkg/api from its protos into DIR (default: this repository). Third-party protos come from the Go
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
mkdir -p "$work/.protos/google/api"
# The last gateway that carries them; they have not changed since in what is used here.
google=$(go mod download -json github.com/grpc-ecosystem/grpc-gateway@v1.16.0 | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp "$google"/third_party/googleapis/google/api/{annotations,http}.proto "$work/.protos/google/api/"
cp pkg/api/v1/*.proto pkg/api/v1/openapi.yaml "$work/pkg/api/v1/"
cp buf.yaml buf.gen.yaml "$work/"
GOBIN=$work/bin go install -C tools google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc \
  github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv2
export PATH=$work/bin:$PATH
buf=$(go tool -n -modfile=tools/go.mod buf)
cd "$work"
"$buf" lint
"$buf" generate -o "$out"
