package identify

import (
	"io/fs"
	"testing"
	"testing/fstest"
)

func TestOn(t *testing.T) {
	for name, tt := range map[string]struct {
		files  map[string]string
		chosen OS
		want   Found
	}{
		"debian":               {map[string]string{"etc/os-release": "ID=debian\nVERSION_ID=\"12\"\n"}, Auto, Found{Linux, "", "nothing says that it is another"}},
		"nothing at all":       {nil, Auto, Found{Linux, "", "nothing says that it is another"}},
		"cumulus 4":            {map[string]string{"etc/lsb-release": "DISTRIB_ID=\"Cumulus Linux\"\nDISTRIB_RELEASE=4.3.0\n"}, Auto, Found{Cumulus, "4.3.0", "/etc/lsb-release"}},
		"cumulus, os-release":  {map[string]string{"etc/os-release": "NAME=\"Cumulus Linux\"\nVERSION_ID=5.9.1\nID=\"cumulus-linux\"\n"}, Auto, Found{Cumulus, "5.9.1", "/etc/os-release"}},
		"ubuntu's lsb-release": {map[string]string{"etc/lsb-release": "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\n"}, Auto, Found{Linux, "", "nothing says that it is another"}},
		"sonic": {map[string]string{"etc/sonic/sonic_version.yml": "---\nbuild_version: '202411.1'\nasic_type: vs\n", "etc/os-release": "ID=debian\n"},
			Auto, Found{SONiC, "202411.1", "/etc/sonic/sonic_version.yml"}},
		"sonic without version": {map[string]string{"etc/sonic/config_db.json": "{}"}, Auto, Found{SONiC, "", "/etc/sonic"}},
		"chosen":                {map[string]string{"etc/lsb-release": "DISTRIB_ID=\"Cumulus Linux\"\nDISTRIB_RELEASE=4.3.0\n"}, Linux, Found{Linux, "", "network-os: linux"}},
		"chosen, and it is so":  {map[string]string{"etc/lsb-release": "DISTRIB_ID=\"Cumulus Linux\"\nDISTRIB_RELEASE=4.3.0\n"}, Cumulus, Found{Cumulus, "4.3.0", "network-os: cumulus"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{}
			for file, text := range tt.files {
				root[file] = &fstest.MapFile{Data: []byte(text)}
			}
			got, err := On(root, tt.chosen)
			if err != nil || got != tt.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

// unreadable is a root in which a file cannot be read.
type unreadable struct{ fs.FS }

func (u unreadable) Open(name string) (fs.File, error) {
	if name == "etc/lsb-release" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return u.FS.Open(name)
}

// What cannot be read says nothing: only the operator's word lets the agent go on.
func TestUnreadable(t *testing.T) {
	root := unreadable{fstest.MapFS{}}
	if found, err := On(root, Auto); err == nil {
		t.Errorf("taken for %+v", found)
	}
	if found, err := On(root, Linux); err != nil || found.OS != Linux {
		t.Errorf("chosen: %+v, %v", found, err)
	}
}
