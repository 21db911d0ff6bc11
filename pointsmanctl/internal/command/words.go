package command

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/pointsman/pointsman/pointsmanctl/internal/output"
)

// word reads a flag whose values are an enum's words; empty is 0.
func word(d protoreflect.EnumDescriptor, flag, value string) (protoreflect.EnumNumber, error) {
	if value == "" {
		return 0, nil
	}
	n, err := output.Number(d, value)
	if err != nil {
		return 0, usagef("--%s: %w", flag, err)
	}
	return n, nil
}
