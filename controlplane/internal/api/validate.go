package api

import (
	"errors"
	"fmt"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// validator checks the rules that the protos state. Its messages name the field, the value that was given, and what is wanted.
type validator struct {
	protovalidate.Validator
}

// newValidator compiles the rules of all requests at once: a rule that does not compile is a mistake that must not wait for
// the first request.
func newValidator() (validator, error) {
	var messages []protovalidate.ValidatorOption
	services := apiv1.File_pkg_api_v1_api_proto.Services()
	for i := range services.Len() {
		methods := services.Get(i).Methods()
		for j := range methods.Len() {
			messages = append(messages, protovalidate.WithMessageDescriptors(methods.Get(j).Input()))
		}
	}
	v, err := protovalidate.New(messages...)
	if err != nil {
		return validator{}, fmt.Errorf("compile the rules of requests: %w", err)
	}
	return validator{v}, nil
}

// Validate checks a message.
func (v validator) Validate(m proto.Message, opts ...protovalidate.ValidationOption) error {
	err := v.Validator.Validate(m, opts...)
	var invalid *protovalidate.ValidationError
	if !errors.As(err, &invalid) {
		return err
	}
	for _, violation := range invalid.Violations {
		violation.Proto.SetMessage(explain(violation))
	}
	return invalid
}

// label is the rule of ids in the protos.
const label = "must be a DNS label: lower-case letters, digits and dashes inside, at most 63 characters"

func explain(v *protovalidate.Violation) string {
	message := v.Proto.GetMessage()
	if v.Proto.GetRuleId() == "string.pattern" {
		message = label
	}
	switch value := v.FieldValue.Interface().(type) {
	case string:
		if value == "" {
			return message
		}
		return fmt.Sprintf("%s; it is %q", message, value)
	case uint32, uint64, int32, int64:
		return fmt.Sprintf("%s; it is %d", message, value)
	default:
		return message
	}
}
