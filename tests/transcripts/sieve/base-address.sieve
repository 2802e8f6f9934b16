--- script
require ["fileinto"];
if address "from" "grace+navy@example.org" { fileinto "1"; }
if address :domain "from" "EXAMPLE.ORG" { fileinto "2"; }
if address :localpart "to" "ben" { fileinto "3"; }
if address :all :contains ["to","cc"] "example" { fileinto "4"; }
if address :domain :is "to" "example" { fileinto "5"; }
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
