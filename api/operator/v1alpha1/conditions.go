package v1alpha1

// ConditionType is the type of a condition in status.conditions.
type ConditionType string

const (
	// ConditionConfigured is True once the registry, the endpoints and the
	// presets are settled.
	ConditionConfigured ConditionType = "Configured"
	// ConditionInstalled is True once everything is applied and available.
	ConditionInstalled ConditionType = "Installed"
	// ConditionDeleted tells how far the uninstallation has come.
	ConditionDeleted ConditionType = "Deleted"
)

// ConditionReason is the reason of a condition in status.conditions.
type ConditionReason string

const (
	// ReasonConfigured: the configuration is ready.
	ReasonConfigured ConditionReason = "Configured"
	// ReasonConfigurationErr: the configuration can't be used; the message says why.
	ReasonConfigurationErr ConditionReason = "ConfigurationErr"
	// ReasonServerlessDuplicated: another Serverless resource is served already.
	ReasonServerlessDuplicated ConditionReason = "ServerlessDuplicated"
	// ReasonInstallation: objects are being applied, or waited for.
	ReasonInstallation ConditionReason = "Installation"
	// ReasonInstallationErr: rendering or applying failed; it is tried again.
	ReasonInstallationErr ConditionReason = "InstallationErr"
	// ReasonInstalled: everything is applied and available.
	ReasonInstalled ConditionReason = "Installed"
	// ReasonDeletion: the module's objects are being deleted.
	ReasonDeletion ConditionReason = "Deletion"
	// ReasonDeletionErr: deletion is blocked or failed; the message says why.
	ReasonDeletionErr ConditionReason = "DeletionErr"
	// ReasonDeleted: nothing of the module is left.
	ReasonDeleted ConditionReason = "Deleted"
	// ReasonConfiguration is the reason of the events that report a changed setting.
	ReasonConfiguration ConditionReason = "Configuration"
)
