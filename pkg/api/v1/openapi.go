package apiv1

import _ "embed" // the OpenAPI file

// OpenAPI describes the REST form of the API: OpenAPI 2.0, as JSON.
//
//go:embed pointsman.swagger.json
var OpenAPI string
