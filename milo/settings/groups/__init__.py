"""The settings of an installation: one frozen group a module. docs/settings.md is generated from these."""
