package endpoint

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// freshConnections asks each time over a connection of its own, as clients do
// that come through a load balancer: no kept one leads to a former Pod.
var freshConnections = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// Ask returns the body of the URL's answer. Any status but 200 is an error.
func Ask(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := freshConnections.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %s: %s", response.Status, body)
	}
	return string(body), nil
}
