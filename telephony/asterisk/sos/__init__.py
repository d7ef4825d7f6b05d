"""SOS calls: followed from event to event, recorded, and controlled as 112 orders."""
