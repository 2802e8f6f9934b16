--- script
require ["fileinto", "relational"];
if header :value "gt" "subject" "Hello" { fileinto "1"; }
if header :value "lt" "subject" "Hello" { fileinto "2"; }
if address :count "eq" "to" "2" { fileinto "3"; }
if header :count "ge" ["subject","from"] "2" { fileinto "4"; }
if header :count "eq" "x-none" "0" { fileinto "5"; }
if header :value "ne" "subject" "x" { fileinto "6"; }
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
fileinto 3
fileinto 4
fileinto 5
fileinto 6
