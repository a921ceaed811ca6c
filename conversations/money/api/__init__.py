"""`/api/v1/costs/`, `prices/` and `budgets/`."""

from __future__ import annotations

from django.urls import path

from conversations.money.api import costs, keeping

urlpatterns = [
    path("costs/", costs.Costs.as_view()),
    path("costs/export/", costs.CostsExport.as_view()),
    path("prices/", keeping.PriceList.as_view()),
    path("prices/<str:price_id>/", keeping.PriceOne.as_view()),
    path("budgets/", keeping.BudgetList.as_view()),
    path("budgets/<str:budget_id>/", keeping.BudgetOne.as_view()),
]
