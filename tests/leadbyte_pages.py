"""What LeadByte's pages print of its operations: requests and replies, as they stand there.

Pages: "Update Leads via REST API", "Update and processing quarantine leads via REST API".
"""

import re

KEY = "cb266b24ef4a5d123s42ca5801431120"
MONEY_KEY = "822acf66313a480c9fde66d8fce8fb7f"
LEAD = "2932682"
HELD = "8419715"

# Requests
LEAD_UPDATE = """{

	"leads": [
		{
			"id": "2932682",
			"update": {
				"postcode": "TN25 6QD"
			}
		}
	]
}"""
LEAD_TRIGGER = """{

	"leads": [
		{
			"id": "2932682",
			"triggerDeliveryId": "1053",
			"update": {
				"postcode": "TN25 6QD"
			}
		}
	]
}"""
# In words only: "triggerDeliveryIds can be used, listing the IDs in an array".
LEAD_TRIGGERS = LEAD_TRIGGER.replace('"triggerDeliveryId": "1053"', '"triggerDeliveryIds": ["1053", "1054"]')
LEADS_REPROCESS = """{

"leads": [
	{
		"id": "2932682",
		"action" : "reprocess",
		"update": {
			"postcode": "TN25 6QD"
		}
	},
	{
		"id": "2932683",
		"action" : "reprocess",
		"update": {
			"firstname": "Joe",
			"lastname": "Blogs"
		}
	},
	{
		"id": "2932684",
		"action" : "reprocess",
		"update": {
			"postcode": "7010",
			"source": "www.LeadByte.com",
			"c1": "GoogleAdWords"
		}
	}
]
}"""
FINANCIALS = """		{
			"key": "822acf66313a480c9fde66d8fce8fb7f",
			"leads": [
				{leadID}
			],
			"newPayout": 80.00,
			"newRevenue": 120.00,
			"BID": "33"
		}""".replace("{leadID}", LEAD)
QUARANTINE_UPDATE = """{
    "leads": [
        {
            "quarantineId": "2932682",
            "update": {
                "postcode": "TN25 6QD"
            }
        }
    ]
}"""
QUARANTINE_RELEASE = """{
    "quarantineId": 8419715,
    "action": "process"
}"""
QUARANTINE_REJECT = QUARANTINE_RELEASE.replace("process", "reject")
QUARANTINE_UPDATE_RELEASE = """{
    "leads": [
        {
            "quarantineId": "2932682",
            "update": {
                "postcode": "TN25 6QD"
            },
            "action": "process"
        }
    ]
}"""
QUARANTINE_UPDATE_REJECT = QUARANTINE_UPDATE_RELEASE.replace("process", "reject")

# Replies
LEAD_UPDATED = """{
    "status": "Success",
    "message": "OK",
    "leads": [
        {
            "id": "2932682",
            "success": true,
            "message": "Lead updated",
            "warnings": [],
            "errors": []
        }
    ]
}"""
# In words only: "if successful, the response will include".
FINANCIALS_UPDATED = '{"status": "Success"}'
QUARANTINE_UPDATED = """{
    "status": "Success",
    "message": "OK",
    "leads": [
        {
            "quarantineId": "2932682",
            "success": true,
            "message": "Quarantine lead updated"
        }
    ]
}"""
QUEUED_RELEASE = """{
    "status": "Success",
    "message": "Quarantined lead(s) processed successfully",
    "details": {
        "8419715": "Queued for processing"
    }
}"""
QUEUED_REJECT = """{
    "status": "Success",
    "message": "Quarantined lead(s) processed successfully",
    "details": {
        "8419715": "Queued for rejection"
    }
}"""
QUARANTINE_UPDATED_RELEASED = """{
    "status": "Success",
    "message": "OK",
    "leads": [
        {
            "quarantineId": "2932682",
            "success": true,
            "message": "Quarantine lead updated"
        }
    ],
    "quaratineReleaseResults": [
        "Quarantine ID '2932682' queued for processing"
    ]
}"""
QUARANTINE_UPDATED_REJECTED = QUARANTINE_UPDATED_RELEASED.replace("processing", "rejection")


def compact(sample: str) -> bytes:
    """A sample without the blanks between its values; every other byte as it stands on the page."""
    return re.sub(r'("[^"]*")|\s+', lambda found: found[1] or "", sample).encode()
