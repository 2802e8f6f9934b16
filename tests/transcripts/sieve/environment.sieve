--- script
require ["fileinto", "environment", "relational"];
if environment "name" "Satchel" { fileinto "1"; }
if environment "location" "MDA" { fileinto "2"; }
if environment "phase" "during" { fileinto "3"; }
if environment :contains "remote-host" "" { fileinto "4"; }
if environment :count "eq" "nothing" "0" { fileinto "5"; }
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
