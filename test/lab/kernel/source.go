package kernel

import (
	"archive/tar"
	"context"
	"io"
	"path"
	"strings"

	"github.com/pointsman/pointsman/test/lab/debroot"
)

// unused are parts of the source that no configuration of ours compiles: four fifths of its files. Their Kconfig and Makefile files
// stay, as others name them.
var unused = []string{
	"Documentation/", "LICENSES/", "samples/", "sound/", "tools/testing/", "tools/perf/", "virt/",
	"drivers/accessibility/", "drivers/acpi/", "drivers/ata/", "drivers/bluetooth/", "drivers/clk/", "drivers/crypto/", "drivers/gpio/", "drivers/gpu/",
	"drivers/hid/", "drivers/hwmon/", "drivers/i2c/", "drivers/iio/", "drivers/infiniband/", "drivers/media/", "drivers/mfd/", "drivers/misc/",
	"drivers/mmc/", "drivers/mtd/", "drivers/net/can/", "drivers/net/dsa/", "drivers/net/ethernet/", "drivers/net/wireless/", "drivers/net/usb/", "drivers/nvme/",
	"drivers/phy/", "drivers/pinctrl/", "drivers/platform/", "drivers/power/", "drivers/regulator/", "drivers/scsi/", "drivers/soc/", "drivers/spi/",
	"drivers/staging/", "drivers/target/", "drivers/thermal/", "drivers/usb/", "drivers/video/",
	"fs/btrfs/", "fs/ceph/", "fs/cifs/", "fs/ext4/", "fs/f2fs/", "fs/gfs2/", "fs/nfs/", "fs/nfsd/", "fs/ntfs3/", "fs/ocfs2/", "fs/xfs/",
}

// unpackSource unpacks what is compiled.
func (b *build) unpackSource(ctx context.Context, archive string) error {
	cmd := b.command(ctx, b.work, "xz", "--decompress", "--stdout", archive)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := debroot.Extract(b.source(), tar.NewReader(out), compiled); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return err
	}
	_, _ = io.Copy(io.Discard, out) // tar's padding, which xz must be let write
	return cmd.Wait()
}

// patch changes the source for the better, or not at all: the patch is for the newer of the sources.
func (b *build) patch(ctx context.Context) error {
	for _, args := range [][]string{{"--dry-run"}, nil} {
		cmd := b.command(ctx, b.source(), "patch", append(args, "--batch", "--forward", "-p1")...)
		cmd.Stdin = strings.NewReader(clockPatch)
		if out, err := cmd.CombinedOutput(); err != nil {
			return failure("apply clock.patch", err, out)
		}
	}
	return nil
}

// compiled takes the archive's own directory off a name, and tells whether the file is needed.
func compiled(name string) (string, bool) {
	_, name, _ = strings.Cut(path.Clean(name), "/")
	base := path.Base(name)
	if strings.HasPrefix(base, "Kconfig") || strings.HasPrefix(base, "Makefile") || strings.HasPrefix(base, "Kbuild") {
		return name, true
	}
	if arch, ok := strings.CutPrefix(name, "arch/"); ok {
		return name, strings.HasPrefix(arch, "um/") || strings.HasPrefix(arch, "x86/") || arch == "um" || arch == "x86"
	}
	for _, dir := range unused {
		if strings.HasPrefix(name, dir) {
			return name, false
		}
	}
	return name, name != ""
}
