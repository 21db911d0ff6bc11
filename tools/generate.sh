#!/usr/bin/env bash
# Generates the Go code and the OpenAPI file of pkg/api from its protos into DIR, or, after a lint of the protos, into this repository.
# Third-party protos come from the Go module cache, plugins from tools/go.mod, so nothing but the Go module proxy is needed.
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
GOBIN=$work/bin go install -C tools ./protogen google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc \
  github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv2
export PATH=$work/bin:$PATH
if [ $# -eq 0 ]; then
  cp buf.yaml "$work/"
  buf=$(go tool -n -modfile=tools/go.mod buf)
  (cd "$work" && "$buf" lint)
fi
cd "$work"
# One OpenAPI file for all services, with the fields' names as in JSON.
protogen -I . -I .protos -o "$out" \
  -plugin go:paths=source_relative -plugin go-grpc:paths=source_relative -plugin grpc-gateway:paths=source_relative \
  -plugin openapiv2:allow_merge=true,merge_file_name=pkg/api/v1/pointsman,openapi_configuration=pkg/api/v1/openapi.yaml \
  pkg/api/v1/*.proto
