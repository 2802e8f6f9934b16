--- script
require ["fileinto", "date", "relational"];
if date "date" "year" "2026" { fileinto "1"; }
if date "date" "hour" "08" { fileinto "2"; }
if date :originalzone "date" "hour" "10" { fileinto "3"; }
if date :zone "-0500" "date" "time" "03:30:00" { fileinto "4"; }
if date "date" "weekday" "2" { fileinto "5"; }
if date :originalzone "date" "iso8601" "2026-11-24T10:30:00+02:00" { fileinto "6"; }
if date "date" "julian" "61368" { fileinto "7"; }
if date :originalzone "date" "std11" "Tue, 24 Nov 2026 10:30:00 +0200" { fileinto "8"; }
if currentdate :value "ge" "date" "2026-11-24" { fileinto "9"; }
if currentdate "month" "11" { fileinto "10"; }
if date :originalzone "date" "zone" "+0200" { fileinto "11"; }
if date "x-none" "year" "2026" { fileinto "12"; }
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
fileinto 4
fileinto 5
fileinto 6
fileinto 7
fileinto 8
fileinto 9
fileinto 10
fileinto 11
