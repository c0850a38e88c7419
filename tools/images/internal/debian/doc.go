// Package debian makes root file systems from Debian packages, without a
// package manager in them and without running anything of theirs: apt resolves
// and verifies, the packages' files are laid down, and the little that their
// maintainer scripts would do is done here.
package debian
