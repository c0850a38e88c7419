package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"kyma-project.io/serverless/tools/images/internal/hosttool"
	"kyma-project.io/serverless/tools/images/internal/layer"
)

// Account is a user with a group of the same name and id.
type Account struct {
	Name string
	ID   int
	Home string
}

// RootFS is the root file system of the packages in the files debs, with root,
// nobody and the given accounts.
func RootFS(ctx context.Context, debs []string, accounts []Account) (layer.Tree, error) {
	tree := layer.Tree{}
	for _, deb := range debs {
		if err := unpack(ctx, tree, deb); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", path.Base(deb), err)
		}
	}
	if err := bundleCertificates(tree); err != nil {
		return nil, err
	}
	// What every program may count on, also where base-files isn't in.
	for _, link := range []string{"bin", "sbin", "lib", "lib64"} {
		tree.Symlink(link, "usr/"+link)
		tree.Dir("usr/"+link, 0o755)
	}
	tree.Dir("tmp", fs.ModeSticky|0o777)
	tree.Dir("var/tmp", fs.ModeSticky|0o777)
	for _, dir := range []string{"dev", "proc", "sys", "run", "etc"} {
		tree.Dir(dir, 0o755)
	}
	addAccounts(tree, accounts)
	return tree, nil
}

func unpack(ctx context.Context, tree layer.Tree, deb string) error {
	files, err := hosttool.Command{Name: "dpkg-deb", Args: []string{"--fsys-tarfile", deb}}.Output(ctx)
	if err != nil {
		return err
	}
	if err := tree.AddTar(bytes.NewReader(files), place); err != nil {
		return err
	}
	// Where vulnerability scanners look for the packages of an image that has
	// no package manager.
	control, err := hosttool.Command{Name: "dpkg-deb", Args: []string{"--field", deb}}.Output(ctx)
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(path.Base(deb), "_")
	tree.File("var/lib/dpkg/status.d/"+name, control)
	return nil
}

// dropped are the directories that nobody reads in a container.
var dropped = []string{
	"etc/cron.daily", "etc/init.d", "etc/logrotate.d", "etc/pam.d", "etc/systemd", "etc/update-motd.d",
	"usr/lib/systemd", "usr/lib/tmpfiles.d", "usr/lib/sysusers.d",
	"usr/share/bash-completion", "usr/share/bug", "usr/share/debconf", "usr/share/doc-base",
	"usr/share/fish", "usr/share/gcc", "usr/share/gdb", "usr/share/info", "usr/share/initramfs-tools",
	"usr/share/lintian", "usr/share/locale", "usr/share/man", "usr/share/menu", "usr/share/zsh",
	"var/cache", "var/lib/dpkg",
}

// place says where a package's file goes, or "" if it is left out.
func place(name string) string {
	top, below, _ := strings.Cut(name, "/")
	switch top {
	case "bin", "sbin", "lib", "lib64": // links to the ones in usr since Debian merged them
		if below == "" {
			return ""
		}
		name = "usr/" + name
	}
	if slices.ContainsFunc(dropped, func(dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }) {
		return ""
	}
	// Licences have to go with the programs; other documentation doesn't.
	if strings.HasPrefix(name, "usr/share/doc/") && path.Base(name) != "copyright" {
		return ""
	}
	return name
}

// Where the package of certificates has them, and where programs look.
const (
	certificatesDir    = "usr/share/ca-certificates/"
	certificatesBundle = "etc/ssl/certs/ca-certificates.crt"
)

// bundleCertificates does what the maintainer script of ca-certificates does,
// and drops the single files.
func bundleCertificates(tree layer.Tree) error {
	var names []string
	for name := range tree {
		if strings.HasPrefix(name, certificatesDir) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var bundle bytes.Buffer
	for _, name := range names {
		if path.Ext(name) == ".crt" {
			bundle.Write(bytes.TrimRight(tree[name].Content, "\n"))
			bundle.WriteByte('\n')
		}
		delete(tree, name)
	}
	if bundle.Len() == 0 {
		return errors.New("bundle CA certificates: there are none; add the package ca-certificates")
	}
	tree.File(certificatesBundle, bundle.Bytes())
	return nil
}

func addAccounts(tree layer.Tree, accounts []Account) {
	all := append([]Account{{"root", 0, "/root"}, {"nobody", 65534, "/nonexistent"}}, accounts...)
	slices.SortFunc(all, func(a, b Account) int { return a.ID - b.ID })
	var passwd, group bytes.Buffer
	for _, account := range all {
		fmt.Fprintf(&passwd, "%s:x:%d:%d:%s:%s:/sbin/nologin\n", account.Name, account.ID, account.ID, account.Name, account.Home)
		fmt.Fprintf(&group, "%s:x:%d:\n", account.Name, account.ID)
	}
	tree.File("etc/passwd", passwd.Bytes())
	tree.File("etc/group", group.Bytes())
	tree.Dir("root", 0o700)
	if _, there := tree["etc/nsswitch.conf"]; !there {
		tree.File("etc/nsswitch.conf", []byte("passwd: files\ngroup: files\nhosts: files dns\n"))
	}
}

// LibraryVersion is the upstream version of a package in packages: what its
// library's interface follows. Debian's own revision, which a security update
// raises, is left out.
func LibraryVersion(packages []Package, name string) (string, error) {
	at := slices.IndexFunc(packages, func(p Package) bool { return p.Name == name })
	if at < 0 {
		return "", fmt.Errorf("find the version of %s: it is not among the packages; add it", name)
	}
	version := packages[at].Version
	if epoch := strings.Index(version, ":"); epoch >= 0 {
		version = version[epoch+1:]
	}
	if revision := strings.LastIndex(version, "-"); revision >= 0 {
		version = version[:revision]
	}
	return version, nil
}
