package volume_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"kyma-project.io/serverless/internal/volume"
)

const gibi = 1 << 30

func bytes(total, available float64) volume.Usage {
	return volume.Usage{Bytes: volume.Amount{Total: uint64(total * gibi), Available: uint64(available * gibi)}}
}

func TestItIsSaidBeforeTheVolumeIsFull(t *testing.T) {
	low := volume.State{Level: volume.Low, Percent: 85, Usage: "85 % of its 20.0 GiB are in use"}
	full := volume.State{Level: volume.Full, Percent: 98, Usage: "98 % of its 20.0 GiB are in use"}
	files := bytes(20, 15)
	files.Files = volume.Amount{Total: 1000, Available: 100}
	for name, test := range map[string]struct {
		former volume.State
		usage  volume.Usage
		want   volume.State
	}{
		"nothing known of a file system": {usage: volume.Usage{}, want: volume.State{Level: volume.Ample}},
		"half in use":                    {usage: bytes(20, 10), want: volume.State{Level: volume.Ample}},
		"85 % in use":                    {usage: bytes(20, 2.99), want: low},
		"most of a large disk in use":    {usage: bytes(1000, 6), want: volume.State{Level: volume.Ample}},
		"nearly all of a large disk": {
			usage: bytes(1000, 4), want: volume.State{Level: volume.Low, Percent: 99, Usage: "99 % of its 1000.0 GiB are in use"},
		},
		"all but the reserve": {usage: bytes(20, 0.39), want: full},
		"nothing left": {
			usage: bytes(0.25, 0), want: volume.State{Level: volume.Full, Percent: 100, Usage: "100 % of its 256 MiB are in use"},
		},
		"no more files": {usage: files, want: volume.State{Level: volume.Low, Percent: 90, Usage: "90 % of its 1000 files are in use"}},

		"little more, not worth saying":       {former: low, usage: bytes(20, 2.1), want: low},
		"little less, not worth saying":       {former: low, usage: bytes(20, 3.5), want: low},
		"much more":                           {former: low, usage: bytes(20, 1.9), want: volume.State{Level: volume.Low, Percent: 90, Usage: "90 % of its 20.0 GiB are in use"}},
		"enough again":                        {former: low, usage: bytes(20, 3.7), want: volume.State{Level: volume.Ample}},
		"full, with a little more than that":  {former: full, usage: bytes(20, 0.41), want: full},
		"full, with room again":               {former: full, usage: bytes(20, 0.6), want: volume.State{Level: volume.Low, Percent: 97, Usage: "97 % of its 20.0 GiB are in use"}},
		"full, then grown":                    {former: full, usage: bytes(40, 20), want: volume.State{Level: volume.Ample}},
		"low, then full, by few percent more": {former: volume.State{Level: volume.Low, Percent: 97}, usage: bytes(20, 0.39), want: full},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.former.Next(test.usage)
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if read, err := volume.Parse(got.String()); err != nil || read != got {
				t.Errorf("read %+v, %v of what was said: %+v", read, err, got)
			}
			if again := got.Next(test.usage); again != got {
				t.Errorf("%+v is said of the same after %+v", again, got)
			}
		})
	}
}

func TestAFileTakesRoom(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mount a small file system, which takes root: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	if err := os.WriteFile(filepath.Join(dir, "file"), make([]byte, 512<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	usage, err := volume.Measure(dir)
	if want := (volume.Amount{Total: 1 << 20, Available: 512 << 10}); err != nil || usage.Bytes != want {
		t.Errorf("%+v, %v, want %+v", usage.Bytes, err, want)
	}
	if _, err := volume.Measure(filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing directory is measured")
	}
}
