--- script
require "vacation";
vacation :days 3 :subject "Away" :from "Ada <ada@example.com>" :addresses ["a@example.com"] "Back on Monday.";
--- message
From: Grace Hopper <grace+navy@example.org>
To: Ada <ada@example.com>, ben@example.net
Subject: Hello World 42
Date: Tue, 24 Nov 2026 10:30:00 +0200
Message-ID: <m1@example.org>
X-Spam-Score: 7
Content-Type: text/plain; charset=utf-8

The quick brown fox.
--- expect
vacation 259200 "Away" from Ada <ada@example.com>: Back on Monday.
keep
