package module

import "crypto/rand"

// Credentials log in to a registry.
type Credentials struct {
	Username string
	Password string
}

func newCredentials() Credentials {
	return Credentials{Username: rand.Text(), Password: rand.Text()}
}
