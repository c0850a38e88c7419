// Package fips has the module's programs use no cryptography but that of the
// FIPS 140-3 module which they are built with, where that is asked for.
package fips

import (
	"crypto/fips140"
	"errors"
	"os"
)

const (
	// Variable of the environment set to "true" asks for FIPS mode
	// (contract/kyma.md 4).
	Variable = "KYMA_FIPS_MODE_ENABLED"
	// DebugVariable set to DebugValue has Go refuse all other cryptography. The
	// hybrid key exchange of TLS, which Go prefers, is such.
	DebugVariable = "GODEBUG"
	DebugValue    = "fips140=only,tlsmlkem=0"
)

// errNotEnforced is in Kyma's words.
var errNotEnforced = errors.New("FIPS 140 exclusive mode is not enabled. Check GODEBUG flags.") //nolint:revive,staticcheck // Kyma's words, with their full stop.

// Mode tells whether the program is asked to run in FIPS mode. It fails if it
// is, and Go would yet let other cryptography pass.
func Mode() (bool, error) {
	return mode(os.Getenv(Variable), fips140.Enforced())
}

func mode(asked string, enforced bool) (bool, error) {
	switch {
	case asked != "true":
		return false, nil
	case !enforced:
		return false, errNotEnforced
	default:
		return true, nil
	}
}
