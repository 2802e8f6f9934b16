--- script
require ["fileinto", "spamtest", "relational", "comparator-i;ascii-numeric", "spamtestplus", "virustest"];
if spamtest :value "ge" :comparator "i;ascii-numeric" "5" { fileinto "1"; }
if spamtest :percent :value "eq" :comparator "i;ascii-numeric" "100" { fileinto "2"; }
if virustest :value "eq" :comparator "i;ascii-numeric" "1" { fileinto "3"; }
if spamtest :count "eq" "0" { fileinto "4"; }
--- given
spam: 10
virus: 1
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
fileinto 1
fileinto 2
fileinto 3
