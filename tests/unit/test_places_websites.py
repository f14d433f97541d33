"""What a place gives as its website."""

import pytest

from scrapersky.domain.places import WebsiteClass
from scrapersky.places.websites import classify


@pytest.mark.parametrize(
    ("website", "kind", "domain"),
    [
        ("https://www.cedar-dental.example/?utm_source=gmb", WebsiteClass.OWN_SITE, "cedar-dental.example"),
        ("http://praxis-müller.example", WebsiteClass.OWN_SITE, "xn--praxis-mller-klb.example"),
        ("https://cedar.wixsite.com/home", WebsiteClass.OWN_SITE, "cedar.wixsite.com"),
        ("https://wixsite.com/cedar", WebsiteClass.DIRECTORY, None),
        ("https://www.facebook.com/cedardental", WebsiteClass.SOCIAL, None),
        ("https://m.facebook.com/cedardental", WebsiteClass.SOCIAL, None),
        ("https://linktr.ee/cedar", WebsiteClass.SOCIAL, None),
        ("https://wa.me/15125550100", WebsiteClass.SOCIAL, None),
        ("https://sites.google.com/view/cedar", WebsiteClass.DIRECTORY, None),
        ("https://www.yelp.com/biz/cedar", WebsiteClass.DIRECTORY, None),
        ("https://notfacebook.com/", WebsiteClass.OWN_SITE, "notfacebook.com"),
        ("https://facebook.com.example/", WebsiteClass.OWN_SITE, "facebook.com.example"),
        (None, WebsiteClass.NONE, None),
        ("  ", WebsiteClass.NONE, None),
        ("http://192.0.2.1/", WebsiteClass.NONE, None),
        ("http://intranet/", WebsiteClass.NONE, None),
        ("not a website", WebsiteClass.NONE, None),
    ],
)
def test_classes(website: str | None, kind: WebsiteClass, domain: str | None) -> None:
    assert classify(website) == (kind, domain)
