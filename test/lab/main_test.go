package lab

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	Main() // the guest of these tests runs this binary
	os.Exit(m.Run())
}
