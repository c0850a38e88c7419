package sbom

import (
	"bytes"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// MediaType is that of a document, and the type of the artifact that has it.
const MediaType types.MediaType = "application/spdx+json"

// Subject is the image that a document is of.
type Subject struct {
	// Name is the image's, without registry and tag.
	Name string
	// Digest of its manifest, as sha256:…
	Digest string
	// Created is the time of its source, not that of the document: equal
	// images have equal documents.
	Created time.Time
}

const (
	noAssertion = "NOASSERTION"
	imageID     = "Image"
	maker       = "kyma-project.io"
)

// Document returns the document that lists the packages.
func Document(of Subject, listing Listing) ([]byte, error) {
	document := &v2_3.Document{
		SPDXVersion: v2_3.Version, DataLicense: v2_3.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName:      of.Name + "@" + of.Digest,
		DocumentNamespace: "https://" + maker + "/spdx/" + of.Name + "@" + of.Digest,
		CreationInfo: &v2_3.CreationInfo{
			Created:  of.Created.UTC().Format(time.RFC3339),
			Creators: []common.Creator{{CreatorType: "Organization", Creator: maker}, {CreatorType: "Tool", Creator: "serverless"}},
		},
		Packages: []*v2_3.Package{imagePackage(of)},
		Relationships: []*v2_3.Relationship{
			{RefA: common.MakeDocElementID("", "DOCUMENT"), RefB: common.MakeDocElementID("", imageID), Relationship: common.TypeRelationshipDescribe},
		},
	}
	if listing.Unknown != "" {
		document.DocumentComment = "The installed packages are not listed: " + listing.Unknown + "."
	}
	for i, one := range Sorted(listing.Packages) {
		id := fmt.Sprintf("Package-%d", i+1)
		document.Packages = append(document.Packages, packageOf(id, one))
		document.Relationships = append(document.Relationships, &v2_3.Relationship{
			RefA: common.MakeDocElementID("", imageID), RefB: common.MakeDocElementID("", id), Relationship: common.TypeRelationshipContains,
		})
	}
	var text bytes.Buffer
	if err := json.Write(document, &text); err != nil {
		return nil, fmt.Errorf("write SPDX document of %s: %w", of.Name, err)
	}
	return text.Bytes(), nil
}

func imagePackage(of Subject) *v2_3.Package {
	return &v2_3.Package{
		PackageName: of.Name, PackageSPDXIdentifier: imageID, PackageVersion: of.Digest,
		PackageDownloadLocation: noAssertion, PackageLicenseConcluded: noAssertion, PackageLicenseDeclared: noAssertion,
		PackageCopyrightText: noAssertion, PrimaryPackagePurpose: "CONTAINER",
	}
}

func packageOf(id string, one Package) *v2_3.Package {
	return &v2_3.Package{
		PackageName: one.Name, PackageSPDXIdentifier: common.ElementID(id), PackageVersion: one.Version,
		PackageDownloadLocation: noAssertion, PackageLicenseConcluded: noAssertion, PackageLicenseDeclared: noAssertion,
		PackageCopyrightText: noAssertion,
		PackageExternalReferences: []*v2_3.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: one.URL(),
		}},
	}
}
