package ociregistry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/auth/token"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	issuer  = "token server"
	service = "registry"
	keyID   = "key"
)

// tokenAuth has the token server answer beside the registry, at url.
func tokenAuth(mux *http.ServeMux, directory, url string) (configuration.Auth, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key of tokens: %w", err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: keyID, Algorithm: string(jose.ES256)}}})
	if err != nil {
		return nil, fmt.Errorf("encode key of tokens: %w", err)
	}
	file := filepath.Join(directory, "keys.json")
	if err := os.WriteFile(file, keys, 0o600); err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("set up signer of tokens: %w", err)
	}
	mux.Handle("GET /token", tokens{signer})
	return configuration.Auth{"token": configuration.Parameters{
		"realm": url + "/token", "issuer": issuer, "service": service, "jwks": file, "signingalgorithms": []any{"ES256"},
	}}, nil
}

// tokens gives whoever has the password what they ask for, for a minute.
type tokens struct{ signer jose.Signer }

// ServeHTTP implements http.Handler.
func (t tokens) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	if username, password, _ := request.BasicAuth(); username != Username || password != Password {
		http.Error(response, "wrong password", http.StatusUnauthorized)
		return
	}
	now := time.Now()
	claims := token.ClaimSet{
		Issuer: issuer, Subject: Username, Audience: token.AudienceList{service}, JWTID: rand.Text(),
		IssuedAt: now.Unix(), NotBefore: now.Unix(), Expiration: now.Add(time.Minute).Unix(),
	}
	for _, scope := range request.URL.Query()["scope"] {
		parts := strings.Split(scope, ":")
		if len(parts) != 3 {
			http.Error(response, "scope isn't type:name:actions", http.StatusBadRequest)
			return
		}
		claims.Access = append(claims.Access, &token.ResourceActions{Type: parts[0], Name: parts[1], Actions: strings.Split(parts[2], ",")})
	}
	signed, err := jwt.Signed(t.signer).Claims(claims).Serialize()
	if err != nil {
		http.Error(response, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(response).Encode(map[string]any{"token": signed, "expires_in": 60})
}
