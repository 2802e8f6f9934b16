--- script
require ["fileinto", "body"];
if body :contains "quick" { fileinto "1"; }
if body :raw :contains "fox" { fileinto "2"; }
if body :contains "Subject" { fileinto "3"; }
if body :content "text" :matches "*brown*" { fileinto "4"; }
if body :content "image" :contains "" { fileinto "5"; }
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
fileinto 4
