"""Google's Places API (New) and geocoder as far as this system asks them, for a machine without a key.

Written from the public documentation of both. What Google refuses is refused, with an error of the same form.
"""
