// Package kstatus_test asks kstatus, the library by which Flux and others read conditions, about every
// status that the operator writes. SAMPLES and VERDICTS name JSON files: see tests/gitops.
package kstatus_test

import (
	"encoding/json"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func read(t *testing.T, variable string, into any) {
	t.Helper()
	text, err := os.ReadFile(os.Getenv(variable))
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
}

func TestStatuses(t *testing.T) {
	var samples []struct {
		Name   string
		Object unstructured.Unstructured
	}
	verdicts := map[string][]string{} // kstatus's comes first
	read(t, "SAMPLES", &samples)
	read(t, "VERDICTS", &verdicts)
	if len(samples) == 0 {
		t.Fatal("no samples")
	}
	for _, sample := range samples {
		result, err := status.Compute(&sample.Object)
		if err != nil {
			t.Errorf("%s %q: %v", sample.Object.GetKind(), sample.Name, err)
			continue
		}
		verdict := verdicts[sample.Name]
		if len(verdict) == 0 || result.Status.String() != verdict[0] {
			t.Errorf("%s %q is %s, want %v", sample.Object.GetKind(), sample.Name, result.Status, verdict)
		}
	}
	t.Logf("%d statuses", len(samples))
}
