// Package registry is the module's own OCI registry: the storage and protocol
// of the distribution project, with access control of ours in front, so that
// who may read and write which repository is decided here.
package registry
