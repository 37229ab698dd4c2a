drop view webhook_prospects;
