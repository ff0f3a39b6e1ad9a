"""An institution's side of a deployment: check the site, run it, approve the application, read the audit log."""
